import type { OrganisationId } from '@patchbay/contracts';
import { distinctWindows, WINDOW_SLICES as S, type Counters, type Lease, type LimitWindow, type SlotsHeld } from '../counters.ts';
import type { RedisConnection } from './connection.ts';
import { slicesKey, slotsKey } from './keys.ts';
import { script } from './script.ts';

const NOW = `local t = redis.call('TIME') local now = t[1] * 1000 + math.floor(t[2] / 1000)`;

/**
 * KEYS: one hash of slices for each window. ARGV: permits wanted, then each window's milliseconds and maximum. Answers the permits granted,
 * the time, and the milliseconds until there can be more. Slice k of a window is the k-th of its slices since 1970.
 */
const TAKE = script(`${NOW}
local wanted, windows = tonumber(ARGV[1]), {}
local granted = wanted
for i, key in ipairs(KEYS) do
  local w = { ms = tonumber(ARGV[2 * i]), max = tonumber(ARGV[2 * i + 1]), counted = 0, moved = 0, slices = {}, gone = {} }
  w.current = math.floor(now * ${S} / w.ms)
  local stored = redis.call('HGETALL', key)
  for j = 1, #stored, 2 do
    local slice, permits = tonumber(stored[j]), tonumber(stored[j + 1])
    -- Slices ahead of us: the clock went back. They count as now, so that they leave with this slice and not at their own far time.
    if slice > w.current then slice = w.current w.moved = w.moved + permits w.gone[#w.gone + 1] = stored[j] end
    -- The oldest slice, of which a part is past, counts whole: with it the slices cover every real window that ends now.
    if slice < w.current - ${S} then
      w.gone[#w.gone + 1] = stored[j]
    else
      w.slices[slice] = (w.slices[slice] or 0) + permits
      w.counted = w.counted + permits
    end
  end
  granted = math.min(granted, math.max(0, w.max - w.counted))
  windows[i] = w
end
local retry = 0
for i, w in ipairs(windows) do
  if granted > 0 then
    for _, field in ipairs(w.gone) do redis.call('HDEL', KEYS[i], field) end
    redis.call('HINCRBY', KEYS[i], string.format('%.0f', w.current), string.format('%.0f', granted + w.moved))
    redis.call('PEXPIRE', KEYS[i], math.ceil(w.ms * ${S + 1} / ${S}) + 1)
    w.slices[w.current] = (w.slices[w.current] or 0) + granted
    w.counted = w.counted + granted
  end
  if granted < wanted and w.counted >= w.max then
    local left, wait = 0, w.ms
    for slice = w.current - ${S}, w.current do
      left = left + (w.slices[slice] or 0)
      if left > w.counted - w.max then wait = math.ceil((slice + ${S + 1}) * w.ms / ${S}) - now break end
    end
    retry = math.max(retry, wait)
  end
end
return { granted, now, retry }`);

/** KEYS: as for TAKE. ARGV: permits, when they were charged, then each window's milliseconds. */
const GIVE_BACK = script(`
for i, key in ipairs(KEYS) do
  local slice = string.format('%.0f', math.floor(ARGV[2] * ${S} / ARGV[i + 2]))
  local permits = tonumber(redis.call('HGET', key, slice) or 0) - ARGV[1]
  if permits > 0 then redis.call('HSET', key, slice, string.format('%.0f', permits)) else redis.call('HDEL', key, slice) end
end`);

/** KEYS: a hash from holders to their slots and when they end. ARGV: the holder, the maximum, slots wanted, milliseconds. */
const HOLD = script(`${NOW}
local others, last, ttl = 0, 0, tonumber(ARGV[4])
local stored = redis.call('HGETALL', KEYS[1])
for j = 1, #stored, 2 do
  local slots, ends = string.match(stored[j + 1], '^(%d+):(%d+)$')
  ends = tonumber(ends)
  if ends <= now or stored[j] == ARGV[1] then
    redis.call('HDEL', KEYS[1], stored[j])
  else
    -- The clock went back: nobody's slots outlive a life from now.
    if ends > now + ttl then
      ends = now + ttl
      redis.call('HSET', KEYS[1], stored[j], string.format('%s:%.0f', slots, ends))
    end
    others = others + slots
    last = math.max(last, ends)
  end
end
local held = math.max(0, math.min(tonumber(ARGV[3]), ARGV[2] - others))
if held > 0 then
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f:%.0f', held, now + ttl))
  redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(ttl, last - now)))
end
return { held, others + held }`);

/** Hashes that expire by themselves, by Redis' clock. */
export class RedisCounters implements Counters {
  readonly #connection: RedisConnection;

  constructor(connection: RedisConnection) {
    this.#connection = connection;
  }

  async take(
    organisationId: OrganisationId,
    counter: string,
    request: { windows: readonly LimitWindow[]; wanted: number },
  ): Promise<Lease> {
    const windows = distinctWindows(request.windows);
    const [granted, chargedAtMs, retryAfterMs] = (await this.#connection.script(
      TAKE,
      windows.map(({ windowMs }) => slicesKey(organisationId, counter, windowMs)),
      [request.wanted, ...windows.flatMap(({ windowMs, max }) => [windowMs, max])],
    )) as [number, number, number];
    return { granted, chargedAtMs, retryAfterMs };
  }

  async giveBack(
    organisationId: OrganisationId,
    counter: string,
    unspent: { windows: readonly LimitWindow[]; permits: number; chargedAtMs: number },
  ): Promise<void> {
    const windows = distinctWindows(unspent.windows).map(({ windowMs }) => windowMs);
    await this.#connection.script(
      GIVE_BACK,
      windows.map((windowMs) => slicesKey(organisationId, counter, windowMs)),
      [unspent.permits, unspent.chargedAtMs, ...windows],
    );
  }

  async hold(
    organisationId: OrganisationId,
    counter: string,
    { holder, max, wanted, ttlMs }: { holder: string; max: number; wanted: number; ttlMs: number },
  ): Promise<SlotsHeld> {
    const args = [holder, max, wanted, Math.max(1, Math.round(ttlMs))];
    const [held, inUse] = (await this.#connection.script(HOLD, [slotsKey(organisationId, counter)], args)) as [number, number];
    return { held, inUse };
  }
}
