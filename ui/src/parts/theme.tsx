// Light or dark: the system's choice until the reader chooses.
import { useSyncExternalStore } from "react";

const KEY = "portreeve.theme";
const CHANGED = "portreeve:theme";
const system = window.matchMedia("(prefers-color-scheme: dark)");

const chosen = () => localStorage.getItem(KEY);
const isDark = () => (chosen() ? chosen() === "dark" : system.matches);

export function applyTheme() {
  document.documentElement.dataset.theme = isDark() ? "dark" : "light";
}

function subscribe(listener: () => void) {
  const changed = () => {
    applyTheme();
    listener();
  };
  system.addEventListener("change", changed);
  window.addEventListener(CHANGED, changed);
  return () => {
    system.removeEventListener("change", changed);
    window.removeEventListener(CHANGED, changed);
  };
}

export function useTheme() {
  const dark = useSyncExternalStore(subscribe, isDark);
  const toggle = () => {
    const next = dark ? "light" : "dark";
    // Choosing what the system says anyway means to follow it again.
    if ((next === "dark") === system.matches) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, next);
    window.dispatchEvent(new Event(CHANGED));
  };
  return { dark, toggle };
}
