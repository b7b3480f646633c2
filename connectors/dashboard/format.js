// @ts-check
// Numbers and times as people read them. Counts come as strings: JavaScript rounds integers of 64 bits.

const COUNTS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });

/** @param {string | number | null | undefined} value a whole number */
export function count(value) {
  if (value === null || value === undefined) return "–";
  return COUNTS.format(typeof value === "string" ? BigInt(value) : value);
}

/** Records a second, in five characters at the most.
 * @param {number | null | undefined} value */
export function rate(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0.05) return "0";
  if (value < 10) return value.toFixed(1);
  if (value < 999.5) return value.toFixed(0);
  if (value < 99_950) return `${(value / 1e3).toFixed(1)}k`;
  if (value < 999_500) return `${(value / 1e3).toFixed(0)}k`;
  return `${(value / 1e6).toFixed(1)}M`;
}

/** A length of time, in seven characters at the most.
 * @param {number | null | undefined} value seconds */
export function seconds(value) {
  if (value === null || value === undefined) return "?";
  if (value < 0.05) return "0 s";
  if (value < 9.95) return `${value.toFixed(1)} s`;
  if (value < 99.5) return `${value.toFixed(0)} s`;
  if (value < 5_970) return `${(value / 60).toFixed(0)} min`;
  if (value < 172_800) return `${(value / 3600).toFixed(0)} h`;
  return `${(value / 86_400).toFixed(0)} d`;
}

/** A time of day in the reader's own zone.
 * @param {number} at seconds since 1970 */
export function clock(at) {
  return CLOCK.format(new Date(at * 1000));
}

/** The same time in UTC, for a tooltip.
 * @param {number} at seconds since 1970 */
export function utc(at) {
  return `${new Date(at * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A size, in eight characters at the most. @param {string | number | null | undefined} value bytes */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  let size = Number(value);
  let unit = 0;
  while (size >= 999.5 && unit < UNITS.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 || size >= 99.5 ? size.toFixed(0) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** How long ago. @param {number} value seconds */
export function ago(value) {
  return value < 2 ? "now" : `${seconds(value)} ago`;
}

const STAMP = new Intl.DateTimeFormat(undefined, { month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hour12: false });

/** A time with its day and milliseconds, in the reader's own zone. @param {number} at seconds since 1970 */
export function stamp(at) {
  return STAMP.format(new Date(at * 1000));
}

const DAY = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false });

/** A time with its day and year, in the reader's own zone. @param {number} at seconds since 1970 */
export function day(at) {
  return DAY.format(new Date(at * 1000));
}
