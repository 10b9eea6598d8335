"""How the bulk transport takes messages: what its scripts do in Redis, in one step each."""

WAKEUP_KEY = "_kombu.bell.%s"
MALFORMED = "_kombu.malformed"
# Most that one fetch takes, and what it takes when there is no prefetch window.
MOST, UNLIMITED = 1000, 100

# Wakes one worker that waits for this queue. Workers look every second anyway, so a bell that nobody hears goes away.
NOTIFY = """
if redis.call('EXISTS', KEYS[1]) == 0 then
    redis.call('LPUSH', KEYS[1], 1)
    redis.call('PEXPIRE', KEYS[1], 5000)
end
"""
# Takes up to ARGV[1] messages and records each as unacknowledged in the same step, as kombu would after the fact.
# KEYS: the hash and the index of what is unacknowledged, where to put what is no message, one bell for each of ARGV[3]
# queues, and the queues' lists, most urgent first. Returns whether there is more, how many were no messages, and then
# the place of the list and the message, in turn.
FETCH = """
local wanted, now, queues = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local fetched, malformed, more = {}, 0, 0
for place = 4 + queues, #KEYS do
    local items = wanted > 0 and redis.call('RPOP', KEYS[place], wanted) or {}
    wanted = wanted - #items
    for _, item in ipairs(items) do
        local ok, record, tag = pcall(function()
            local properties = cjson.decode(item).properties
            local sender = properties.delivery_info
            local origin = cjson.encode(sender.exchange) .. ',' .. cjson.encode(sender.routing_key)
            return '[' .. item .. ',' .. origin .. ']', properties.delivery_tag
        end)
        if ok and tag then
            redis.call('HSET', KEYS[1], tag, record)
            redis.call('ZADD', KEYS[2], now, tag)
            fetched[#fetched + 1] = place - 4 - queues
            fetched[#fetched + 1] = item
        else
            redis.call('LPUSH', KEYS[3], item)
            malformed = malformed + 1
        end
    end
    if wanted == 0 and redis.call('EXISTS', KEYS[place]) == 1 then
        more = 1
        local bell = KEYS[4 + (place - 4) % queues]
        if redis.call('EXISTS', bell) == 0 then
            redis.call('LPUSH', bell, 1)
            redis.call('PEXPIRE', bell, 5000)
        end
    end
end
return {more, malformed, unpack(fetched)}
"""
# Keeps what Redis took for a message, and Python does not. KEYS: the first three of `FETCH`; ARGV: the item.
SET_ASIDE = """
local tag = cjson.decode(ARGV[1]).properties.delivery_tag
redis.call('HDEL', KEYS[1], tag)
redis.call('ZREM', KEYS[2], tag)
redis.call('LPUSH', KEYS[3], ARGV[1])
"""
