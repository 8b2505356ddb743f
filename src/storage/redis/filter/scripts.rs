//! What Redis does in one step.
//!
//! | key | type | what |
//! |---|---|---|
//! | `f:current` | string | the generation that is asked |
//! | `f:building` | string | the generation that is being built |
//! | `f:<generation>:bits` | string | its bitmap |
//! | `f:<generation>:meta` | hash | `capacity`, `bytes`, `counter` (additions that set a bit), `items`, `run` and `basis` (of a finished one), `made_at`, `held_at` |
//! | `f:<generation>:scan` | string | what its builder found, until it is finished |
//!
//! The feed is the channel `f:feed`: generation, counter, items in hex.

use std::sync::LazyLock;

use redis::Script;

/// A builder that said nothing for so many seconds is gone.
pub(super) const HELD_SECONDS: u64 = 30;

/// Both generations: id, capacity, bytes, counter, run, basis of each; empty where there is none, or where its
/// properties are gone. Argument: what keys begin with.
pub(super) static LOOK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local told = {}
        for number = 1, 2 do
            local id = redis.call('GET', KEYS[number])
            local meta = id and redis.call('HMGET', ARGV[1] .. id .. ':meta', 'capacity', 'bytes', 'counter', 'run', 'basis')
            if meta and meta[2] then
                told[#told + 1] = id
                for field = 1, 5 do told[#told + 1] = meta[field] or '' end
            else
                for _ = 1, 6 do told[#told + 1] = '' end
            end
        end
        return told
        ",
    )
});

/// Adds items to the generations that the caller knows of, if those are the ones there are. Arguments: what keys begin
/// with, the channel, the items in hex, how many they are, and for each generation its id, how many offsets, the
/// offsets. Answers 1 where a bit was set, 0 where all were there, -1 where there are other generations, -2 where there
/// are none.
pub(super) static ADD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local prefix, channel, items, count = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
        local from, lists, any = 5, {}, false
        for number = 1, 2 do
            local id = redis.call('GET', KEYS[number]) or ''
            if id ~= '' and redis.call('EXISTS', prefix .. id .. ':meta') == 0 then id = '' end
            if id ~= ARGV[from] then return -1 end
            local offsets = tonumber(ARGV[from + 1])
            if id ~= '' then
                any = true
                lists[#lists + 1] = {id, from + 2, from + 1 + offsets}
            end
            from = from + 2 + offsets
        end
        if not any then return -2 end
        local newly = 0
        for _, list in ipairs(lists) do
            local bits, meta, is_new = prefix .. list[1] .. ':bits', prefix .. list[1] .. ':meta', false
            for index = list[2], list[3] do
                if redis.call('SETBIT', bits, ARGV[index], 1) == 0 then is_new = true end
            end
            if is_new then
                newly = 1
                local counter = redis.call('HINCRBY', meta, 'counter', 1)
                redis.call('HINCRBY', meta, 'items', count)
                redis.call('PUBLISH', channel, list[1] .. ' ' .. counter .. ' ' .. items)
            end
        end
        return newly
        ",
    )
});

/// Makes a generation to build, or takes over one that nobody builds any more and that is large enough. Arguments: what
/// keys begin with, new id, capacity, bytes, `made_at`, seconds that a builder is waited for, 1 where the caller builds.
/// Answers id, capacity and bytes; nothing where somebody else builds.
pub(super) static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local prefix, now = ARGV[1], tonumber(redis.call('TIME')[1])
        local id = redis.call('GET', KEYS[1])
        local meta = id and redis.call('HMGET', prefix .. id .. ':meta', 'capacity', 'bytes', 'held_at')
        if meta and meta[2] then
            local is_held = tonumber(meta[3]) + tonumber(ARGV[6]) > now
            if ARGV[7] == '1' and is_held then return {} end
            if ARGV[7] ~= '1' or tonumber(meta[1]) >= tonumber(ARGV[3]) then
                if ARGV[7] == '1' then redis.call('HSET', prefix .. id .. ':meta', 'held_at', now, 'made_at', ARGV[5]) end
                return {id, meta[1], meta[2]}
            end
        end
        if id then redis.call('UNLINK', prefix .. id .. ':meta', prefix .. id .. ':bits', prefix .. id .. ':scan') end
        id = ARGV[2]
        redis.call('SET', KEYS[1], id)
        redis.call('HSET', prefix .. id .. ':meta', 'capacity', ARGV[3], 'bytes', ARGV[4], 'counter', 0, 'items', 0,
            'made_at', ARGV[5], 'held_at', ARGV[7] == '1' and now or 0)
        return {id, ARGV[3], ARGV[4]}
        ",
    )
});

/// Says that a generation is still being built, or is not. Arguments: what keys begin with, id, 1 or 0. Answers whether it
/// is the one that is being built.
pub(super) static HOLD: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local meta = ARGV[1] .. ARGV[2] .. ':meta'
        if redis.call('GET', KEYS[1]) ~= ARGV[2] or redis.call('EXISTS', meta) == 0 then return 0 end
        redis.call('HSET', meta, 'held_at', ARGV[3] == '1' and redis.call('TIME')[1] or 0)
        return 1
        ",
    )
});

/// Makes the generation that is being built the current one. Arguments: what keys begin with, id, run of the server that
/// it was built in, basis, items found. Answers whether it is.
pub(super) static FINISH: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local prefix, id = ARGV[1], ARGV[2]
        local meta, bits, scan = prefix .. id .. ':meta', prefix .. id .. ':bits', prefix .. id .. ':scan'
        if redis.call('GET', KEYS[2]) ~= id or redis.call('EXISTS', meta) == 0 then
            redis.call('UNLINK', scan)
            return 0
        end
        redis.call('BITOP', 'OR', bits, bits, scan)
        redis.call('UNLINK', scan)
        redis.call('HINCRBY', meta, 'items', ARGV[5])
        redis.call('HINCRBY', meta, 'counter', 1)
        redis.call('HSET', meta, 'run', ARGV[3], 'basis', ARGV[4])
        local old = redis.call('GET', KEYS[1])
        redis.call('SET', KEYS[1], id)
        redis.call('DEL', KEYS[2])
        if old and old ~= id then redis.call('UNLINK', prefix .. old .. ':meta', prefix .. old .. ':bits') end
        return 1
        ",
    )
});
