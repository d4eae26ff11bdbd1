// Series over time with uPlot. Colours come from the style sheet, so that a chart follows the theme.
import { useEffect, useRef } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { useTheme } from "./theme";

export type Line = { label: string; color: string; values: (number | null)[]; fill?: boolean; dash?: number[] };
type Props = { label: string; times: number[]; lines: Line[]; format?: (value: number) => string; height?: number; bars?: boolean };

const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function Chart({ label, times, lines, format = String, height = 190, bars }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const { dark } = useTheme();
  useEffect(() => {
    const element = box.current;
    if (!element || times.length === 0) return;
    const axis = { stroke: css("--soft"), grid: { stroke: css("--grid"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
    const paths = bars ? uPlot.paths.bars?.({ size: [0.7, 60] }) : undefined;
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height,
        cursor: { points: { size: 6 }, drag: { x: false, y: false } },
        legend: { live: true },
        scales: { x: { time: true, range: (_, min, max) => (max - min < 240 ? [min - 120, max + 120] : [min, max]) }, y: { range: (_, min, max) => [Math.min(0, min), Math.max(max * 1.08, 1)] } },
        axes: [
          { ...axis, space: 70, values: (_, splits, __, ___, step) => splits.map((at, index) => { const text = moment(at, step); return index > 0 && text === moment(splits[index - 1], step) ? "" : text; }) },
          { ...axis, size: 58, values: (_, splits) => splits.map((value) => format(value)) },
        ],
        series: [
          { label: "time", value: (_, at) => (at ? new Date(at * 1000).toLocaleString("en-GB") : "–") },
          ...lines.map((line) => ({
            label: line.label,
            stroke: css(line.color),
            fill: line.fill || bars ? `${css(line.color)}26` : undefined,
            width: 1.6,
            dash: line.dash,
            paths,
            points: { show: times.length < 3 },
            value: (_: uPlot, value: number | null) => (value === null || value === undefined ? "–" : format(value)),
          })),
        ],
      },
      // uPlot stretches one step alone over years: an empty step beside it keeps the axis short.
      (times.length === 1 ? [[times[0], times[0] + 60], ...lines.map((line) => [...line.values, null])] : [times, ...lines.map((line) => line.values)]) as uPlot.AlignedData,
      element,
    );
    const watcher = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }));
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      plot.destroy();
    };
  }, [times, lines, dark, height, format, bars]);
  const summary = lines.map((line) => `${line.label}: at most ${format(Math.max(0, ...line.values.map((value) => value ?? 0)))}`);
  if (times.length === 0) return <p className="empty">No traffic in this range.</p>;
  return (
    <figure className="chart">
      <div ref={box} role="img" aria-label={`${label}. ${summary.join("; ")}`} />
    </figure>
  );
}

/** A moment on the axis: the hour, and the day where it begins. */
function moment(at: number, step: number): string {
  const date = new Date(at * 1000);
  const day = date.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
  if (step >= 86_400) return day;
  const hour = date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  return hour === "00:00" ? day : hour;
}

/** A series without holes: steps in which nothing happened count nothing. The step that has not ended yet is left out, because it
 * would look like a fall. */
export function filled<T extends { at_s: number }>(steps: T[], stepS: number, pick: (step: T) => number | null, empty: number | null = 0) {
  if (steps.length === 0) return { times: [] as number[], values: [] as (number | null)[] };
  const by = new Map(steps.map((step) => [step.at_s, step]));
  const times: number[] = [];
  const values: (number | null)[] = [];
  const end = Date.now() / 1000 - stepS;
  const last = steps.length > 3 ? Math.min(steps[steps.length - 1].at_s, end) : steps[steps.length - 1].at_s;
  for (let at = steps[0].at_s; at <= last && times.length < 3000; at += stepS) {
    const step = by.get(at);
    times.push(at);
    values.push(step ? pick(step) : empty);
  }
  return { times, values };
}
