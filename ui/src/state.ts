// Where the reader is (the address bar holds it all), and what was loaded for it.
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { ApiProblem } from "./api/client";

const MOVED = "portreeve:moved";

function subscribe(listener: () => void) {
  window.addEventListener("popstate", listener);
  window.addEventListener(MOVED, listener);
  return () => {
    window.removeEventListener("popstate", listener);
    window.removeEventListener(MOVED, listener);
  };
}

/** Goes to a page of the dashboard. */
export function go(url: string, how: "push" | "replace" = "push") {
  if (how === "push") history.pushState(null, "", url);
  else history.replaceState(null, "", url);
  window.dispatchEvent(new Event(MOVED));
}

export function usePath(): string {
  return useSyncExternalStore(subscribe, () => location.pathname);
}

/** A value in the address bar. */
export function useParam(name: string, ordinary = ""): [string, (value: string) => void] {
  const search = useSyncExternalStore(subscribe, () => location.search);
  const value = new URLSearchParams(search).get(name) ?? ordinary;
  const set = useCallback(
    (next: string) => {
      const params = new URLSearchParams(location.search);
      if (next === ordinary || next === "") params.delete(name);
      else params.set(name, next);
      const text = params.toString();
      go(text ? `${location.pathname}?${text}` : location.pathname, "replace");
    },
    [name, ordinary],
  );
  return [value, set];
}

export type Loaded<T> = { data?: T; problem?: ApiProblem; loading: boolean; reload: () => void };

/** Loads when `key` changes, and again every few seconds while the page is looked at. */
export function useLoad<T>(key: string, load: (signal: AbortSignal) => Promise<T>, everyMs = 15_000): Loaded<T> {
  const [state, setState] = useState<{ key: string; data?: T; problem?: ApiProblem; loading: boolean }>({ key, loading: true });
  const [round, setRound] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  useEffect(() => {
    const controller = new AbortController();
    let timer: number | undefined;
    const run = async () => {
      if (document.hidden) {
        timer = window.setTimeout(run, everyMs);
        return;
      }
      try {
        const data = await latest.current(controller.signal);
        if (!controller.signal.aborted) setState({ key, data, loading: false });
      } catch (error) {
        if (controller.signal.aborted) return;
        const problem = error instanceof ApiProblem ? error : new ApiProblem(0, String(error));
        // What was shown stays, so that a short failure does not empty the page.
        setState((before) => ({ key, data: before.key === key ? before.data : undefined, problem, loading: false }));
        if (problem.status === 401 || problem.status === 403) return;
      }
      if (everyMs > 0) timer = window.setTimeout(run, everyMs);
    };
    setState((before) => (before.key === key ? before : { key, data: before.data, loading: true }));
    void run();
    return () => {
      controller.abort();
      window.clearTimeout(timer);
    };
  }, [key, round, everyMs]);
  return { ...state, reload: () => setRound((before) => before + 1) };
}
