-- Put in front of the scripts that need it. The white space behind a payload, as trailer.py describes it.

local function number_of(bits)
    local number = 0
    for i = 1, #bits do
        number = number * 2 + (bits:byte(i) == 9 and 1 or 0)
    end
    return number
end

local function bits_of(number)
    local bits = ''
    while number > 0 do
        bits = (number % 2 == 1 and '\t' or ' ') .. bits
        number = math.floor(number / 2)
    end
    return bits
end

local function split(payload)
    if payload:byte(-1) == 10 then
        local body, deliveries, retries = payload:match('^(.*)\r([ \t]*)\r([ \t]*)\n$')
        if body then
            return body, number_of(deliveries), retries
        end
    end
    return payload, 0, ''
end

local function with_deliveries(payload, deliveries)
    local body, _, retries = split(payload)
    return body .. '\r' .. bits_of(deliveries) .. '\r' .. retries .. '\n'
end
