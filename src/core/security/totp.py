"""Codes of authenticator apps (RFC 6238). Imported by the first use, since it loads libraries."""

from io import BytesIO

import pyotp
import segno
from pyotp.exceptions import OTPVerificationError

# A code is accepted half a minute early or late, for clocks that differ and people who type slowly.
_WINDOW = 1


def new_secret() -> str:
    """A random secret of 160 bits, in base32."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, account: str, issuer: str) -> str:
    """What apps read from the QR code."""
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer)


def qr_svg(text: str) -> str:
    """A QR code, as SVG that pages can embed, or use as an image."""
    svg = BytesIO()
    segno.make_qr(text).save(svg, kind="svg", xmldecl=False, nl=False, scale=4, light="#fff")
    return svg.getvalue().decode()


def step_of(code: str, secret: str, now: int) -> int | None:
    """The time step that a code belongs to; None if it is not accepted at this time, in Unix seconds."""
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(code, for_time=now, valid_window=_WINDOW)
    except OTPVerificationError:
        return None
