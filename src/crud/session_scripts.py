"""Lua scripts for login sessions: each is one atomic operation in one round trip."""

from src.core.stores.redis_script import RedisScript

# KEYS: session, refresh token, index of the user's sessions
# ARGV: jti, its hash, hash of the User-Agent, issued_at, expires_at, session id, User-Agent, address
START = RedisScript("""
redis.call('HSET', KEYS[1], 'jti', ARGV[1], 'created_at', ARGV[4], 'issued_at', ARGV[4], 'expires_at', ARGV[5],
           'user_agent_hash', ARGV[3], 'user_agent', ARGV[7], 'address', ARGV[8])
redis.call('HSET', KEYS[2], 'created_at', ARGV[4], 'token_hash', ARGV[2], 'user_agent_hash', ARGV[3],
           'family', ARGV[6])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', ARGV[4])
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[6])
for _, key in ipairs(KEYS) do redis.call('EXPIREAT', key, ARGV[5]) end
""")

# KEYS: session, presented token, successor, index of the user's sessions
# ARGV: presented jti, its hash, hash of the User-Agent, now, grace seconds, successor's jti, hash, issued_at,
#       expires_at, session id
ROTATE = RedisScript("""
local session = redis.call('HMGET', KEYS[1], 'jti', 'previous_jti', 'user_agent_hash', 'issued_at', 'expires_at')
if not session[1] or session[3] ~= ARGV[3] then return {'refused'} end
local now = tonumber(ARGV[4])
if session[1] == ARGV[1] then
  if redis.call('HGET', KEYS[2], 'token_hash') ~= ARGV[2] then return {'refused'} end
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'jti', ARGV[6], 'previous_jti', ARGV[1], 'issued_at', ARGV[8], 'expires_at', ARGV[9])
  redis.call('EXPIREAT', KEYS[1], ARGV[9])
  redis.call('HSET', KEYS[3], 'created_at', ARGV[8], 'token_hash', ARGV[7], 'user_agent_hash', ARGV[3],
             'family', ARGV[10])
  redis.call('EXPIREAT', KEYS[3], ARGV[9])
  redis.call('ZADD', KEYS[4], ARGV[9], ARGV[10])
  redis.call('EXPIREAT', KEYS[4], ARGV[9], 'GT')
  return {'rotated'}
end
if session[2] == ARGV[1] and now <= tonumber(session[4]) + tonumber(ARGV[5]) then
  return {'repeated', session[1], session[4], session[5]}
end
redis.call('DEL', KEYS[1], (string.gsub(KEYS[2], '[^:]+$', '')) .. session[1])
redis.call('ZREM', KEYS[4], ARGV[10])
return {'reused'}
""")

# KEYS: index of the user's sessions. ARGV: prefix of keys, session to end (empty for all), session to spare, hash tag.
END = RedisScript("""
local prefix = ARGV[1]
local ended = 0
local ids = redis.call('ZRANGE', KEYS[1], 0, -1)
for _, id in ipairs(ids) do
  local named = ARGV[2] == '' or ARGV[2] == id
  if named and ARGV[3] ~= id then
    local session = prefix .. 'session:' .. ARGV[4] .. ':' .. id
    local jti = redis.call('HGET', session, 'jti')
    if jti then
      redis.call('DEL', session, prefix .. 'refresh:' .. ARGV[4] .. ':' .. jti)
      ended = ended + 1
    end
    redis.call('ZREM', KEYS[1], id)
  end
end
return ended
""")
