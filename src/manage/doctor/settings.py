from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import load_pem_private_key

from src.manage.doctor.finding import Finding

if TYPE_CHECKING:
    from src.core.config import Settings
    from src.core.config.auth import AuthSettings


def check_settings() -> list[Finding]:
    """Load the settings, with the addresses of all stores, and check the keys in them."""
    try:
        from src.core.config import settings

        require_addresses(settings)
    except SystemExit as error:
        return [Finding("settings", "failed", str(error))]
    text = f"ENVIRONMENT is {settings.ENVIRONMENT}; every setting can be used."
    return [Finding("settings", "ok", text), check_keys(settings.auth)]


def require_addresses(settings: "Settings") -> None:
    """Read the address of each store.

    Raises:
        ConfigurationError: One is missing or unusable.
    """
    settings.check_broker()
    _ = settings.sql.url, settings.sql.read_url, settings.sql.url_without_pooler, settings.sql.named_urls
    _ = settings.redis.url, settings.mongo.url, settings.s3.endpoint


def check_keys(auth: "AuthSettings") -> Finding:
    """Check the numbers of the RSA keys, which processes leave out since it takes a while."""
    from src.core.config.auth import read_pem

    keys = {"RSA_PRIVATE_KEY": auth.rsa_private_key_setting}
    keys |= {"RSA_PREVIOUS_PRIVATE_KEY": auth.rsa_previous_private_key_setting}
    for name, value in keys.items():
        try:
            if value is not None:
                load_pem_private_key(read_pem(value.get_secret_value(), name), None)
        except ValueError:
            return Finding("keys", "failed", f"{name} is damaged.", "Restore it, or generate a new one.")
    if auth.rsa_private_key_setting is None or not {"access_token_key", "refresh_token_key"} <= auth.model_fields_set:
        return Finding("keys", "ok", "Keys that are not set are generated at each start: for one process only.")
    return Finding("keys", "ok", f"{auth.rsa_private_key.key_size} bits; the private key is sound.")
