from src.core.exceptions import BadRequestError, ServiceUnavailableError, UnauthorizedError


class OidcFailedError(UnauthorizedError):
    """What a provider sent is not believed. The response does not say why; the log does."""

    def __init__(self, reason: str = "") -> None:
        super().__init__("The provider's answer was refused: log in again.", error="auth.oidc_failed")
        self.reason = reason


class OidcUnavailableError(ServiceUnavailableError):
    """A provider does not answer, or answers nonsense. Other ways to log in work."""

    def __init__(self) -> None:
        message = "The provider is unavailable: log in in another way, or later."
        super().__init__(message, error="auth.oidc_unavailable", retry_after_seconds=10)


class OidcStateError(BadRequestError):
    """A login was not started by this browser, is finished, or took too long."""

    error = "auth.oidc_state"
    message = "This login was started in another browser, is finished already, or took more than ten minutes."


class OidcDeniedError(UnauthorizedError):
    """The provider did not log the person in."""

    def __init__(self) -> None:
        super().__init__("The provider did not log you in.", error="auth.oidc_denied")


class OidcNotLinkedError(UnauthorizedError):
    """No account is linked to this login, and none may be created."""

    def __init__(self) -> None:
        message = "No account is linked to this login: log in in another way, and link it there."
        super().__init__(message, error="auth.oidc_not_linked")
