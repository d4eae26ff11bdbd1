// Numbers, times and durations for people.
const whole = new Intl.NumberFormat("en", { useGrouping: true });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });

export const count = (value: number) => (Math.abs(value) >= 100_000 ? short.format(value) : whole.format(value));
export const exact = (value: number) => whole.format(value);

export function percent(part: number, of: number): string {
  if (of <= 0) return "–";
  const value = (part * 100) / of;
  return `${value > 0 && value < 0.1 ? "<0.1" : value.toFixed(1)} %`;
}

export function duration(us: number | null | undefined): string {
  if (us === null || us === undefined) return "–";
  if (us < 1000) return `${us} µs`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms`;
  return `${(us / 1_000_000).toFixed(1)} s`;
}

export function bytes(value: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (value >= 1000 && at < units.length - 1) {
    value /= 1000;
    at += 1;
  }
  return `${value.toFixed(value < 10 && at > 0 ? 1 : 0)} ${units[at]}`;
}

export function when(seconds: number): string {
  return new Date(seconds * 1000).toLocaleString("en-GB", {
    day: "2-digit", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });
}

export function ago(seconds: number): string {
  const gone = Date.now() / 1000 - seconds;
  if (gone < 90) return "just now";
  if (gone < 5400) return `${Math.round(gone / 60)} min ago`;
  if (gone < 129_600) return `${Math.round(gone / 3600)} h ago`;
  return `${Math.round(gone / 86_400)} d ago`;
}

export function change(now: number, before: number): string {
  if (before <= 0) return "no earlier traffic";
  const value = ((now - before) * 100) / before;
  return `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(1)} % on the period before`;
}

/** A text as a value of the filter language. */
export const quoted = (text: string) => `"${text.replace(/["\\]/g, (found) => `\\${found}`)}"`;
