"""Single-use challenges.

A challenge is `time.random.signature`. Issuing one stores nothing; redeeming it stores its signature in Redis until the
challenge would have expired.
"""

import hashlib
import hmac
import secrets

from redis.asyncio import Redis

from src.core.config.auth import AuthSettings


class ChallengeService:
    """Issues challenges of one purpose, and accepts each one once; by default those of passwords."""

    def __init__(
        self,
        settings: AuthSettings,
        redis: Redis,
        *,
        purpose: str = "login-challenge",
        lifetime_seconds: int | None = None,
    ) -> None:
        self.redis = redis
        self.lifetime_seconds = lifetime_seconds or settings.challenge_seconds
        self._purpose = purpose
        keys = (settings.refresh_token_key, settings.refresh_token_previous_key)
        self._keys = [key.get_secret_value().encode() for key in keys if key is not None]

    def issue(self, now: int) -> str:
        """A new challenge, valid for `lifetime_seconds`."""
        content = f"{now}.{secrets.token_urlsafe(18)}"
        return f"{content}.{self._sign(content, self._keys[0])}"

    async def redeem(self, challenge: str, now: int) -> bool:
        """Redeem the challenge; False if it is forged, has expired or was used before."""
        content, _, signature = challenge.rpartition(".")
        presented = signature.encode(errors="replace")
        if not any(hmac.compare_digest(self._sign(content, key).encode(), presented) for key in self._keys):
            return False
        age = now - int(content.partition(".")[0])
        if age > self.lifetime_seconds:
            return False
        # One second longer than it is valid, because ages are whole seconds.
        seconds = self.lifetime_seconds + 1
        return bool(await self.redis.set(f"auth:challenge:{signature}", "1", nx=True, ex=seconds))

    def _sign(self, content: str, key: bytes) -> str:
        message = f"{self._purpose}:{content}".encode(errors="replace")
        return hmac.new(key, message, hashlib.sha256).hexdigest()
