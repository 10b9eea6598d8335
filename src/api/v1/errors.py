"""Errors that several endpoints document."""

from src.core.exceptions import (
    BadRequestError,
    ConflictError,
    PermissionDeniedError,
    ServiceUnavailableError,
    UnauthorizedError,
)

CONFLICT = ConflictError()
CHANGED = ConflictError(error="resource.changed")
BAD_CIPHERTEXT = BadRequestError(
    "The password was not encrypted with the current key and an unused challenge.", error="auth.bad_ciphertext"
)
WRONG_FACTOR = UnauthorizedError("The code or passkey is wrong, or was used before.", error="auth.invalid_factor")
WRONG_PROOF = BadRequestError("The proof is wrong, or was used before.", error="auth.invalid_proof")
BUSY = ServiceUnavailableError("Too many logins at once.", error="auth.busy")
TAKEN = ConflictError("The username or the email address is taken.", error="user.taken")
LAST_LOGIN = ConflictError("It is the only way to log in: set a password first.", error="auth.last_login")
NOT_YOURS_TO_GRANT = PermissionDeniedError(
    "You cannot grant or withdraw permissions that you do not hold.",
    error="auth.not_yours_to_grant",
    data=["POST:/api/v1/roles"],
)
NOT_YOURS = PermissionDeniedError("It belongs to somebody else.", error="auth.not_yours")
INTERNAL_TASK = PermissionDeniedError("The task is internal: no user can start it.", error="tasks.internal")
NOT_YOURS_TO_START = PermissionDeniedError(
    "Starting notices.announce requires POST:/api/v1/notices.",
    error="tasks.not_yours_to_start",
    data=["POST:/api/v1/notices"],
)
