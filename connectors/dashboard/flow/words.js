// @ts-check
// What states mean, and what a person can do about them.

/** From what a person should see first to what nobody must look at. */
export const WORST = ["STOPPED", "STALLED", "REWOUND", "UNKNOWN", "WARNING", "RESTORING", "HELD", "CATCHING_UP", "OK", "IDLE"];

/** @type {Record<string, {word: string, tone: string, means: string, remedy: string}>} */
export const STATES = {
  OK: { word: "keeps up", tone: "ok", means: "It reads what comes in.", remedy: "" },
  IDLE: { word: "idle", tone: "idle", means: "Nothing has come in for a minute, and all is read.", remedy: "" },
  CATCHING_UP: { word: "catching up", tone: "busy", means: "It was behind, and its lag shrinks.", remedy: "" },
  WARNING: { word: "falls behind", tone: "warn", means: "It reads, but slower than records come in.", remedy: "Compare its lag with the rate of the topic. ./dev logs shows whether its store or provider is slow." },
  STALLED: { word: "stands", tone: "warn", means: "It has records to read, and its position has not moved for some seconds.", remedy: "If it goes on, ./dev doctor says why." },
  STOPPED: { word: "stopped", tone: "bad", means: "It has records to read, and nobody reads them.", remedy: "./dev doctor says which process has ended or hangs, and what to do. ./dev logs shows its last words." },
  REWOUND: { word: "rewound", tone: "warn", means: "Its position went back: records are read again.", remedy: "If nobody did this on purpose, look for another program that uses the same group." },
  HELD: { word: "held", tone: "hold", means: "It keeps records back until another input has caught up.", remedy: "docs/observability.md, A held partition, says how to end it." },
  RESTORING: { word: "restoring", tone: "busy", means: "It restores its state before it reads on.", remedy: "" },
  UNKNOWN: { word: "unknown", tone: "unknown", means: "Kafka does not say where it stands, or it has never read.", remedy: "Is its process running? ./dev status lists them." },
};

/** @param {string[]} states */
export function worst(states) {
  return WORST.find((state) => states.includes(state)) ?? "UNKNOWN";
}
