'use strict';

/** The synchronous storage of a mini-program: values are copied, and a missing value is an empty string. */
function createStorage(contents = {}) {
  const stored = new Map(Object.entries(contents));
  return {
    stored,
    getStorageSync: (key) => (stored.has(key) ? JSON.parse(JSON.stringify(stored.get(key))) : ''),
    setStorageSync: (key, value) => { stored.set(key, JSON.parse(JSON.stringify(value))); },
    removeStorageSync: (key) => { stored.delete(key); },
  };
}

module.exports = { createStorage };
