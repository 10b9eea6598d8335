"""Lua scripts for login sessions: each is one atomic operation in one round trip."""

from src.core.stores.redis_script import RedisScript

START = RedisScript(
    """
redis.call('ZREMRANGEBYSCORE', index, '-inf', issued_at)
if redis.call('ZCARD', index) >= tonumber(maximum) then return 0 end
redis.call('HSET', session, 'jti', jti, 'created_at', issued_at, 'issued_at', issued_at, 'expires_at', expires_at,
           'user_agent_hash', user_agent_hash, 'user_agent', user_agent, 'address', address,
           'authenticated_at', authenticated_at, 'device', device, 'acted_by', acted_by)
redis.call('HSET', token, 'created_at', issued_at, 'token_hash', token_hash, 'user_agent_hash', user_agent_hash,
           'family', session_id)
for _, key in ipairs({session, token}) do redis.call('EXPIREAT', key, expires_at) end
redis.call('ZADD', index, expires_at, session_id)
-- GT alone would not expire a new one.
redis.call('EXPIREAT', index, expires_at, redis.call('TTL', index) < 0 and 'NX' or 'GT')
return 1
""",
    keys="session token index",
    args="session_id jti token_hash issued_at expires_at authenticated_at user_agent_hash user_agent address device "
    "acted_by maximum",
)

# After the deadline, by the clock of Redis, nothing changes: the caller of a script that was delayed has given up.
# The grace period of the previous token begins with `CONFIRM`: until then nobody may have received the successor.
ROTATE = RedisScript(
    """
local time = redis.call('TIME')
if time[1] + time[2] / 1000000 > tonumber(deadline) then return {'late'} end
local stored = redis.call('HMGET', session, 'jti', 'previous_jti', 'user_agent_hash', 'issued_at', 'expires_at',
                          'confirmed_at', 'authenticated_at')
local current_jti, previous_jti, owner_hash, rotated_at = stored[1], stored[2], stored[3], stored[4]
if not current_jti or owner_hash ~= user_agent_hash then return {'refused'} end
if current_jti == jti then
  if redis.call('HGET', presented, 'token_hash') ~= token_hash then return {'refused'} end
  redis.call('DEL', presented)
  redis.call('HSET', session, 'jti', new_jti, 'previous_jti', jti, 'issued_at', new_issued_at,
             'expires_at', new_expires_at, 'confirmed_at', '')
  redis.call('EXPIREAT', session, new_expires_at)
  redis.call('HSET', successor, 'created_at', new_issued_at, 'token_hash', new_hash,
             'user_agent_hash', user_agent_hash, 'family', session_id)
  redis.call('EXPIREAT', successor, new_expires_at)
  redis.call('ZADD', index, new_expires_at, session_id)
  redis.call('EXPIREAT', index, new_expires_at, 'GT')
  return {'rotated', stored[7] or '0'}
end
local grace_from = stored[6] or rotated_at
if previous_jti == jti and (grace_from == '' or tonumber(now) <= grace_from + tonumber(grace_seconds)) then
  return {'repeated', stored[7] or '0', current_jti, rotated_at, stored[5]}
end
redis.call('DEL', session, (string.gsub(presented, '[^:]+$', '')) .. current_jti)
redis.call('ZREM', index, session_id)
return {'reused'}
""",
    keys="session presented successor index",
    args="session_id user_agent_hash now grace_seconds deadline "
    "jti token_hash new_jti new_hash new_issued_at new_expires_at",
)

CONFIRM = RedisScript(
    """
local stored = redis.call('HMGET', session, 'jti', 'confirmed_at')
if stored[1] == jti and stored[2] == '' then redis.call('HSET', session, 'confirmed_at', now) end
""",
    keys="session",
    args="jti now",
)

# Returns whether the session is alive.
PROVE = RedisScript(
    """
if redis.call('EXISTS', session) == 0 then return 0 end
redis.call('HSET', session, 'authenticated_at', now)
return 1
""",
    keys="session",
    args="now",
)

# Ends `session_id` if the mode is `only`, and all other sessions if it is `except`.
END = RedisScript(
    """
local ended = 0
for _, id in ipairs(redis.call('ZRANGE', index, 0, -1)) do
  if (mode == 'only') == (id == session_id) then
    local session = session_prefix .. id
    local jti = redis.call('HGET', session, 'jti')
    if jti then
      redis.call('DEL', session, token_prefix .. jti)
      ended = ended + 1
    end
    redis.call('ZREM', index, id)
  end
end
return ended
""",
    keys="index",
    args="mode session_id session_prefix token_prefix",
)
