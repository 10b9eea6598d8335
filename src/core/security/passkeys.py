"""Passkeys (WebAuthn). Imported by the first use, since it loads libraries."""

import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import webauthn
from cryptography.exceptions import UnsupportedAlgorithm
from webauthn.helpers import (
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.options_to_json_dict import options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

R = TypeVar("R")
Credential = Mapping[str, Any]
# The id of a passkey and its transports, to name it to browsers.
Known = tuple[bytes, Sequence[str]]
AllowsOrigin = Callable[[str], bool]

# What parsers raise for hostile input, besides the library's own errors.
_MALFORMED = (
    WebAuthnException,
    UnsupportedAlgorithm,
    struct.error,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    OverflowError,
    RecursionError,
)
# Longer ids are not allowed by WebAuthn.
MAXIMUM_ID_BYTES = 1023


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """A passkey that was just made, for a challenge."""

    challenge: str
    credential_id: bytes
    public_key: bytes
    sign_count: int
    transports: list[str]


@dataclass(frozen=True, slots=True)
class Assertion:
    """The use of a passkey, for a challenge; `user_handle` is the id of its user, if the authenticator knows it."""

    challenge: str
    sign_count: int
    user_handle: bytes | None


def creation_options(
    rp_id: str, app: str, user_id: bytes, username: str, challenge: str, existing: Collection[Known]
) -> dict[str, Any]:
    """The argument of `navigator.credentials.create()`, as JSON."""
    options = webauthn.generate_registration_options(
        rp_id=rp_id,
        rp_name=app,
        user_id=user_id,
        user_name=username,
        challenge=challenge.encode(),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
        ),
        exclude_credentials=_descriptors(existing),
    )
    return options_to_json_dict(options)


def request_options(rp_id: str, challenge: str, allowed: Collection[Known] = ()) -> dict[str, Any]:
    """The argument of `navigator.credentials.get()`, as JSON; without `allowed`, for any passkey of the site."""
    options = webauthn.generate_authentication_options(
        rp_id=rp_id,
        challenge=challenge.encode(),
        allow_credentials=_descriptors(allowed),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


def verify_new(credential: Credential, rp_id: str, allows_origin: AllowsOrigin) -> NewPasskey | None:
    """A new passkey, whose challenge is not checked yet; None if anything else is wrong."""
    return _or_none(_verify_new, credential, rp_id, allows_origin)


def verify_use(
    credential: Credential, rp_id: str, allows_origin: AllowsOrigin, public_key: bytes, sign_count: int
) -> Assertion | None:
    """The use of a known passkey, whose challenge is not checked yet; None if anything else is wrong."""
    return _or_none(_verify_use, credential, rp_id, allows_origin, public_key, sign_count)


def _verify_new(credential: Credential, rp_id: str, allows_origin: AllowsOrigin) -> NewPasskey:
    parsed = parse_registration_credential_json(dict(credential))
    challenge, origin = _client_data(parsed.response.client_data_json, allows_origin)
    verified = webauthn.verify_registration_response(
        credential=parsed,
        expected_challenge=challenge,
        expected_rp_id=rp_id,
        expected_origin=origin,
        require_user_verification=True,
    )
    if len(verified.credential_id) > MAXIMUM_ID_BYTES:
        raise ValueError("The id is too long.")
    transports = [transport.value for transport in parsed.response.transports or ()]
    return NewPasskey(
        challenge.decode(),
        verified.credential_id,
        verified.credential_public_key,
        verified.sign_count,
        transports,
    )


def _verify_use(
    credential: Credential, rp_id: str, allows_origin: AllowsOrigin, public_key: bytes, sign_count: int
) -> Assertion:
    parsed = parse_authentication_credential_json(dict(credential))
    challenge, origin = _client_data(parsed.response.client_data_json, allows_origin)
    verified = webauthn.verify_authentication_response(
        credential=parsed,
        expected_challenge=challenge,
        expected_rp_id=rp_id,
        expected_origin=origin,
        credential_public_key=public_key,
        credential_current_sign_count=sign_count,
        require_user_verification=True,
    )
    return Assertion(challenge.decode(), verified.new_sign_count, parsed.response.user_handle)


def _client_data(client_data_json: bytes, allows_origin: AllowsOrigin) -> tuple[bytes, str]:
    """The challenge, which the caller redeems, and the origin, which must be one of ours."""
    data = parse_client_data_json(client_data_json)
    if not allows_origin(data.origin) or data.cross_origin:
        raise ValueError("The page belongs to another site, or is inside a page of another site.")
    return data.challenge, data.origin


def _descriptors(passkeys: Collection[Known]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=credential_id, transports=[AuthenticatorTransport(name) for name in transports] or None
        )
        for credential_id, transports in passkeys
    ]


def _or_none(verify: Callable[..., R], *args: Any) -> R | None:
    try:
        return verify(*args)
    except _MALFORMED:
        return None
