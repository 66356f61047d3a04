"""Which API server, and as whom: from a kubeconfig, from the pod, or from explicit values.

The token of a pod is replaced about every hour, and a kubeconfig may name a token file or a login program:
whoever reads a token once is logged out later. Both are therefore asked again on the way."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config_from_dict

from leasehold.adapters.cluster_kubeconfig import KubeContext, read_context
from leasehold.api.reasons import Reason
from leasehold.core.faults import NeedsPerson

__all__ = ["ConfigException", "Connection"]

RELOGIN_EVERY_SECONDS = 60.0

_LIBRARY = logging.getLogger(load_kube_config_from_dict.__module__)
_SAID: ContextVar[list[str] | None] = ContextVar("what the library says in this task", default=None)
"""Each task has its own: several contexts may log in at once, and none of them may take another's failure."""


class Connection(RESTClientObject):
    """The client library's idea of an API server, and the session that it makes for it."""

    @classmethod
    async def from_kubeconfig(cls, path: str, context: str | None = None) -> "Connection":
        """As kubectl would connect with this file; the file is never written back.

        :raises NeedsPerson: the file is not there, or says nothing that could be used
        """
        return await cls.from_context(read_context([Path(path)], context))

    @classmethod
    async def from_context(cls, context: KubeContext) -> "Connection":
        """As kubectl would connect with this context.

        :raises NeedsPerson: it cannot be used, or its login program gives no login
        """
        configuration = _configuration()
        with _what_is_logged() as said:
            try:
                loader = await load_kube_config_from_dict(  # type: ignore[no-untyped-call]
                    context.config, client_configuration=configuration
                )
            except (ConfigException, OSError, ValueError, TypeError, AttributeError) as error:
                raise _unfit(context, str(error)) from error
        if said:
            raise _unfit(context, "; ".join(said))
        loaded_at = time.monotonic()

        async def log_in_again(current: Configuration) -> None:
            nonlocal loaded_at
            if time.monotonic() - loaded_at >= RELOGIN_EVERY_SECONDS:
                loaded_at = time.monotonic()
                await loader.load_and_set(current)

        configuration.refresh_api_key_hook = log_in_again  # type: ignore[assignment]
        return cls(configuration)

    @classmethod
    def in_cluster(cls) -> "Connection":
        """As the pod's service account.

        :raises NeedsPerson: this is no pod, or one without a token
        """
        configuration = _configuration()
        try:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError) as error:
            message = f"no kubeconfig is named, and this is no pod with a token: {error}"
            raise NeedsPerson(Reason.CLUSTER_UNAVAILABLE, message) from error
        return cls(configuration)

    @classmethod
    def explicit(cls, host: str, token: str, ca_file: str | None = None) -> "Connection":
        """With a bearer token."""
        configuration = _configuration()
        configuration.host = host.rstrip("/")
        configuration.ssl_ca_cert = ca_file
        configuration.api_key["BearerToken"] = f"Bearer {token}"
        return cls(configuration)

    @property
    def host(self) -> str:
        """The server's address, without a trailing slash."""
        return str(self.configuration.host)

    @property
    def request_options(self) -> dict[str, Any]:
        """What has to be said with each request."""
        options: dict[str, Any] = {}
        if self.configuration.tls_server_name:
            options["server_hostname"] = self.configuration.tls_server_name
        if self.proxy:
            options["proxy"] = self.proxy
        return options

    async def authorization(self) -> str | None:
        """The `Authorization` header of now; None with a client certificate."""
        header = await self.configuration.get_api_key_with_prefix("BearerToken", alias="authorization")
        return str(header) if header else None

    def open_session(self) -> aiohttp.ClientSession:
        """A session that sends each request exactly once."""
        session: aiohttp.ClientSession = self._create_pool_manager()
        # aiohttp repeats a PUT by itself when a kept connection breaks: the second one would be answered
        # with a conflict that only our own first one caused.
        session._retry_connection = False
        return session


@contextmanager
def _what_is_logged() -> Iterator[list[str]]:
    """What the library has to say of a login program that fails: it only logs that, and goes on as nobody."""
    said: list[str] = []
    token = _SAID.set(said)
    try:
        yield said
    finally:
        _SAID.reset(token)


def _keep_errors(record: logging.LogRecord) -> bool:
    said = _SAID.get()
    if said is None or record.levelno < logging.ERROR:
        return True
    said.append(record.getMessage())
    return False


_LIBRARY.addFilter(_keep_errors)


def _unfit(context: KubeContext, why: str) -> NeedsPerson:
    return NeedsPerson(Reason.CLUSTER_UNAVAILABLE, f"context {context.name} of the kubeconfig: {why}")


def _configuration() -> Configuration:
    configuration = Configuration()
    # Proxies come from the kubeconfig only: with the environment, aiohttp reads netrc for every request.
    configuration.client_session_kwargs = {"trust_env": False}
    return configuration
