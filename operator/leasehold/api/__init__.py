"""The resources of group `leasehold.dev` as models; `crds/` is generated from them."""
