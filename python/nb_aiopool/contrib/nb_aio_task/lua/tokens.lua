-- Put in front of the scripts that need it. Finds tokens in payloads without decoding them: a token is 32 hexadecimal
-- digits with something else on both sides, whichever way the payload is written.

local function set_of(tokens, first)
    local set = {}
    for i = first, #tokens do
        set[tokens[i]] = true
    end
    return set
end

-- Calls found(token) for each token of the set that stands in the payload.
local function look_for(set, payload, found)
    for digits in payload:gmatch('%x+') do
        if #digits >= 32 and set[digits] then
            found(digits)
        end
    end
end

-- The same for all payloads that are with a consumer.
local function look_among_held(set, consumers, prefix, found)
    for _, consumer in ipairs(redis.call('ZRANGE', consumers, 0, -1)) do
        for _, payload in ipairs(redis.call('HVALS', prefix .. 'inflight:' .. consumer)) do
            look_for(set, payload, found)
        end
        for _, payload in ipairs(redis.call('LRANGE', prefix .. 'wait:' .. consumer, 0, -1)) do
            look_for(set, payload, found)
        end
    end
end
