-- Frees those of the given ids whose task is not running: the rest of clearing a queue, a part at a time.
-- KEYS: consumers, ids   ARGV: prefix, ids...
local prefix = ARGV[1]
local owners = {}
local tokens = {}
for i = 2, #ARGV do
    local token = redis.call('GET', prefix .. 'unique:' .. ARGV[i])
    if token then
        owners[ARGV[i]] = token
        tokens[#tokens + 1] = token
    end
end

local set = set_of(tokens, 1)
local running = {}
local function found(token)
    running[token] = true
end
for _, consumer in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
    for _, payload in ipairs(redis.call('HVALS', prefix .. 'inflight:' .. consumer)) do
        look_for(set, payload, found)
    end
    for _, payload in ipairs(redis.call('LRANGE', prefix .. 'wait:' .. consumer, 0, -1)) do
        look_for(set, payload, found)
    end
end

for i = 2, #ARGV do
    local id = ARGV[i]
    if not (owners[id] and running[owners[id]]) then
        redis.call('DEL', prefix .. 'unique:' .. id)
        redis.call('ZREM', KEYS[2], id)
    end
end
