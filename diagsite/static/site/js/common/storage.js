// Browser storage that may be refused (private mode, full): then it lasts as long as the page.

function guarded(name) {
  const memory = new Map();
  const storage = () => window[name];
  return {
    get(key) {
      try {
        return JSON.parse(storage().getItem(key)) ?? memory.get(key) ?? null;
      } catch {
        return memory.get(key) ?? null;
      }
    },
    set(key, value) {
      memory.set(key, value);
      try {
        storage().setItem(key, JSON.stringify(value));
      } catch {
        // kept in memory
      }
    },
    remove(key) {
      memory.delete(key);
      try {
        storage().removeItem(key);
      } catch {
        // nothing was kept
      }
    },
  };
}

/** Outlives the tab. */
export const kept = guarded("localStorage");

/** Lives as long as the tab. */
export const passing = guarded("sessionStorage");

/** A random UUID; `crypto.randomUUID` is missing on plain http. */
export function randomId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
