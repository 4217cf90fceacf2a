// Dates and numbers in the language of the page. All of them come from `Intl`; no pattern is written here.

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const SECONDS = { name: "second", ms: 1_000, least: 0 } as const;
/** A wait of up to two minutes is counted in seconds, one of up to two hours in minutes. */
const UNITS = [
  { name: "hour", ms: HOUR, least: 2 * HOUR },
  { name: "minute", ms: MINUTE, least: 2 * MINUTE },
  SECONDS,
] as const;

export interface Format {
  /** 1,234 */
  number(value: number): string;
  /** 14:05 */
  time(date: Date): string;
  /** Thursday, 12 March 2026 at 14:05 */
  full(date: Date): string;
  /** Today, Yesterday, Thursday, 12 March: the title of a day relative to `now`. */
  day(date: Date, now: Date): string;
  /** As short as a row of a list needs: 5m ago, 14:05, yesterday, Thu, 12 Mar, 12/03/25. */
  short(date: Date, now: Date): string;
  /** 45 seconds, 3 minutes, 2 hours: rounded up, for waits. */
  duration(ms: number): string;
  /** Ann, Bob and Cem */
  list(parts: readonly string[]): string;
}

/** Days between two moments, counted by the calendar of the reader. */
export function daysBetween(earlier: Date, later: Date): number {
  const midnight = (date: Date) => Date.UTC(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((midnight(later) - midnight(earlier)) / DAY);
}

export function createFormat(tag: string): Format {
  const numbers = new Intl.NumberFormat(tag);
  const lists = new Intl.ListFormat(tag, { style: "long", type: "conjunction" });
  const relative = new Intl.RelativeTimeFormat(tag, { numeric: "auto", style: "narrow" });
  const days = new Intl.RelativeTimeFormat(tag, { numeric: "auto", style: "long" });
  const dates = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(tag, options);
  const time = dates({ timeStyle: "short" });
  const full = dates({ dateStyle: "full", timeStyle: "short" });
  const weekday = dates({ weekday: "long" });
  const shortWeekday = dates({ weekday: "short" });
  const dayMonth = dates({ day: "numeric", month: "long" });
  const shortDayMonth = dates({ day: "numeric", month: "short" });
  const dayMonthYear = dates({ day: "numeric", month: "long", year: "numeric" });
  const shortDate = dates({ dateStyle: "short" });

  return {
    number: (value) => numbers.format(value),
    time: (date) => time.format(date),
    full: (date) => full.format(date),
    list: (parts) => lists.format(parts),
    duration(ms) {
      const unit = UNITS.find(({ least }) => ms >= least) ?? SECONDS;
      return new Intl.NumberFormat(tag, {
        style: "unit",
        unit: unit.name,
        unitDisplay: "long",
      }).format(Math.max(0, Math.ceil(ms / unit.ms)));
    },
    day(date, now) {
      const ago = daysBetween(date, now);
      if (ago === 0 || ago === 1) return capitalized(days.format(-ago, "day"), tag);
      if (ago > 1 && ago < 7) return weekday.format(date);
      return (date.getFullYear() === now.getFullYear() ? dayMonth : dayMonthYear).format(date);
    },
    short(date, now) {
      const elapsed = now.getTime() - date.getTime();
      const ago = daysBetween(date, now);
      // A clock that is slightly behind the server's shows "now" and not a time in the future.
      if (elapsed < MINUTE && elapsed > -HOUR) return relative.format(0, "second");
      if (elapsed > 0 && elapsed < HOUR)
        return relative.format(-Math.floor(elapsed / MINUTE), "minute");
      if (ago === 0) return time.format(date);
      if (ago === 1) return relative.format(-1, "day");
      if (ago > 1 && ago < 7) return shortWeekday.format(date);
      return (date.getFullYear() === now.getFullYear() ? shortDayMonth : shortDate).format(date);
    },
  };
}

function capitalized(text: string, tag: string): string {
  const [first = ""] = text;
  return first.toLocaleUpperCase(tag) + text.slice(first.length);
}
