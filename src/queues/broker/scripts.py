"""Lua scripts, each of which Redis runs as one step."""

# Wakes one worker that waits for a queue. The key expires, since workers look at their queues every second anyway.
WAKE_UP = """
local function wake_up(key)
    if redis.call('EXISTS', key) == 0 then
        redis.call('LPUSH', key, 1)
        redis.call('PEXPIRE', key, 5000)
    end
end
"""
# KEYS: the wake-up key of the queue.
NOTIFY = f"{WAKE_UP}wake_up(KEYS[1])"
# Pops up to `limit` messages, and records each as unacknowledged in the same step (kombu does so afterwards).
# KEYS: the hash and the index of unacknowledged messages, the list of malformed ones, the wake-up key of each queue,
#   the queues' lists, highest priority first.
# ARGV: the limit, the time, the number of queues.
# Returns: 1 if messages are left, the number of malformed ones, then the index of its list and itself of each message.
FETCH = (
    WAKE_UP
    + """
local limit, now, queues = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local fetched, malformed, more = {}, 0, 0
for list = 4 + queues, #KEYS do
    local items = limit > 0 and redis.call('RPOP', KEYS[list], limit) or {}
    limit = limit - #items
    for _, item in ipairs(items) do
        local ok, record, tag = pcall(function()
            local properties = cjson.decode(item).properties
            local sender = properties.delivery_info
            local origin = cjson.encode(sender.exchange) .. ',' .. cjson.encode(sender.routing_key)
            return '[' .. item .. ',' .. origin .. ']', properties.delivery_tag
        end)
        if ok and type(tag) == 'string' then
            redis.call('HSET', KEYS[1], tag, record)
            redis.call('ZADD', KEYS[2], now, tag)
            fetched[#fetched + 1] = list - 4 - queues
            fetched[#fetched + 1] = item
        else
            redis.call('LPUSH', KEYS[3], item)
            malformed = malformed + 1
        end
    end
    if limit == 0 and redis.call('EXISTS', KEYS[list]) == 1 then
        more = 1
        wake_up(KEYS[4 + (list - 4) % queues])
    end
end
return {more, malformed, unpack(fetched)}
"""
)
# Moves a message that Redis could decode and Python cannot to the malformed ones. KEYS: the first three of `FETCH`.
SET_ASIDE = """
local tag = cjson.decode(ARGV[1]).properties.delivery_tag
redis.call('HDEL', KEYS[1], tag)
redis.call('ZREM', KEYS[2], tag)
redis.call('LPUSH', KEYS[3], ARGV[1])
"""
# Moves due messages from the sorted set to their queues. Each member is the key of its queue's list, the wake-up key of
# the queue, and the message, in lines. It is removed last: Redis may refuse to write, which ends the script.
# KEYS: the set, the list of malformed messages. ARGV: the time until which messages are due.
MOVE_DUE = (
    WAKE_UP
    + """
for _, item in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 1000)) do
    local first = string.find(item, '\\n', 1, true)
    local second = first and string.find(item, '\\n', first + 1, true)
    local key = second and string.sub(item, 1, first - 1)
    local type = key and redis.call('TYPE', key).ok
    if type == 'list' or type == 'none' then
        redis.call('LPUSH', key, string.sub(item, second + 1))
        wake_up(string.sub(item, first + 1, second - 1))
    else
        redis.call('LPUSH', KEYS[2], item)
    end
    redis.call('ZREM', KEYS[1], item)
end
"""
)
