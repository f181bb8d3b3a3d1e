// Browser storage that works when the browser refuses to store (private mode, full): the values then last as long as the page.

function createStore(name) {
  const memory = new Map();
  return {
    get(key) {
      try {
        return JSON.parse(window[name].getItem(key)) ?? memory.get(key) ?? null;
      } catch {
        return memory.get(key) ?? null;
      }
    },
    set(key, value) {
      memory.set(key, value);
      try {
        window[name].setItem(key, JSON.stringify(value));
      } catch {
        // kept in memory
      }
    },
    remove(key) {
      memory.delete(key);
      try {
        window[name].removeItem(key);
      } catch {
        // was never stored
      }
    },
  };
}

/** Persistent. */
export const localStore = createStore("localStorage");

/** Lasts as long as the tab. */
export const sessionStore = createStore("sessionStorage");

/** Return a random UUID; `crypto.randomUUID` is missing without HTTPS. */
export function randomId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
