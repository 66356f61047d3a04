# The operator, and nothing else: no package manager, no compiler, no root. Build it with the digest of the base image
# that you have looked at, so that the same command makes the same image tomorrow:
#
#   docker build --build-arg BASE_DIGEST=sha256:… --tag leasehold:0.1.0 .
#
# Without BASE_DIGEST it does not build.
ARG BASE_DIGEST

FROM python:3.13-slim@${BASE_DIGEST} AS build
WORKDIR /source
RUN python -m venv /opt/leasehold
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY operator ./operator
# exactly the versions that were tested, and wheels only: nothing is compiled here
RUN /opt/leasehold/bin/pip install --no-cache-dir --only-binary=:all: --no-binary=leasehold --constraint constraints.txt .
RUN /opt/leasehold/bin/pip uninstall --yes pip

FROM python:3.13-slim@${BASE_DIGEST}
COPY --from=build /opt/leasehold /opt/leasehold
ENV PATH=/opt/leasehold/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# a number, for Kubernetes cannot tell whether a name is root
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python", "-m", "leasehold"]
