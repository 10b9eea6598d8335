"""Login challenges: stateless when handed out, spent once when used.

A challenge is `time.random.signature`. Nothing is stored for one that is only fetched; a login marks it as spent for as
long as it would have been valid.
"""

import hashlib
import hmac
import secrets

from redis.asyncio import Redis

from src.core.config.auth import AuthSettings


class ChallengeService:
    """Issues challenges and accepts each one once."""

    def __init__(self, settings: AuthSettings, redis: Redis) -> None:
        self.redis = redis
        self.lifetime_seconds = settings.challenge_seconds
        keys = (settings.refresh_token_key, settings.refresh_token_previous_key)
        self._keys = [key.get_secret_value().encode() for key in keys if key is not None]

    def issue(self, now: int) -> str:
        """A fresh challenge, valid for `lifetime_seconds`."""
        content = f"{now}.{secrets.token_urlsafe(18)}"
        return f"{content}.{_sign(content, self._keys[0])}"

    async def spend(self, challenge: str, now: int) -> bool:
        """Whether the challenge is ours, still valid, and was never used before."""
        content, _, signature = challenge.rpartition(".")
        shown = signature.encode(errors="replace")
        if not any(hmac.compare_digest(_sign(content, key).encode(), shown) for key in self._keys):
            return False
        age = now - int(content.partition(".")[0])
        if age > self.lifetime_seconds:
            return False
        # A second longer than it is valid: ages are whole seconds.
        kept = self.lifetime_seconds + 1
        return bool(await self.redis.set(f"auth:challenge:{signature}", "1", nx=True, ex=kept))


def _sign(content: str, key: bytes) -> str:
    message = b"login-challenge:" + content.encode(errors="replace")
    return hmac.new(key, message, hashlib.sha256).hexdigest()
