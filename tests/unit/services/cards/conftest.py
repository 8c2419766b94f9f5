"""The store on the disk that upkeep's tests use."""

from tests.unit.services.upkeep.conftest import make_site, site

__all__ = ["make_site", "site"]
