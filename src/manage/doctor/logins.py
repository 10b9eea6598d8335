from src.core.config.app import Environment
from src.core.email import smtp
from src.core.oidc.errors import OidcUnavailableError
from src.core.preflight import reason_of
from src.manage.doctor.check import Examination
from src.manage.doctor.finding import CheckError


async def check_email(examination: Examination) -> str:
    """The mail server takes connections, and the login of `SMTP_URL`."""
    settings = examination.resources.settings.email
    if not settings.enabled:
        return "SMTP_URL names none."
    from aiosmtplib import SMTPException

    address = f"{settings.server.host}:{settings.server.port}"
    try:
        await smtp.check(settings)
    except (SMTPException, OSError) as error:
        text = f"The mail server at {address} cannot be used: {reason_of(error)}."
        raise CheckError(text, "Start it, or correct SMTP_URL.") from error
    return f"{address}, {'not encrypted' if settings.server.tls == 'none' else 'encrypted'}."


async def check_openid(examination: Examination) -> str:
    """Each of `OIDC_PROVIDERS` publishes its endpoints and keys."""
    settings = examination.resources.settings
    if not settings.oidc.enabled:
        return "OIDC_PROVIDERS names none."
    from src.core.oidc.provider import OidcProvider

    for name, provider in settings.oidc.providers.items():
        allows_http = settings.ENVIRONMENT is Environment.LOCAL
        try:
            await OidcProvider(name, settings.oidc, allows_http=allows_http).check()
        except OidcUnavailableError as error:
            reason = reason_of(error.__cause__) if error.__cause__ else "it is another provider, or not encrypted"
            text = f"{name} at {provider.issuer} cannot be used: {reason}."
            raise CheckError(text, "Compare `issuer` in OIDC_PROVIDERS with its discovery document.") from error
    return f"{', '.join(settings.oidc.providers)} can be reached."
