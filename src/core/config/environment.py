from enum import StrEnum


class Environment(StrEnum):
    """Where the process runs, from `ENVIRONMENT`."""

    LOCAL = "LOCAL"
    TESTING = "TESTING"
    STAGING = "STAGING"
    PRODUCTION = "PRODUCTION"

    @property
    def is_debug(self) -> bool:
        """Documentation pages and the Swagger login exist."""
        return self is not Environment.PRODUCTION

    @property
    def is_deployed(self) -> bool:
        """Weak secrets and open CORS are refused."""
        return self in (Environment.STAGING, Environment.PRODUCTION)
