// @ts-check
// Asking a route again and again, for pages whose numbers do not come by the WebSocket.
import { useEffect, useState } from "preact/hooks";
import { get, Problem } from "/assets/session.js";

const LATE_S = 8; // without an answer: what is shown then is old

/** @template T @typedef {{data: T | null, problem: Problem | Error | null, late: number | null, again: () => void}} Asked
 * `late` is when the last answer came (s since 1970), once that is long ago. */

/** @template T @param {string} path @param {number} everyS @returns {Asked<T>} */
export function useAsked(path, everyS) {
  const [data, setData] = useState(/** @type {T | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Error | null} */ (null));
  const [at, setAt] = useState(0);
  const [now, setNow] = useState(0);
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    let timer = 0;
    let ended = false;
    async function ask() {
      try {
        const found = await get(path);
        if (ended) return;
        setData(found);
        setProblem(found.trouble ? new Error(found.trouble) : null);
        setAt(Date.now() / 1000);
      } catch (error) {
        if (ended) return;
        setProblem(/** @type {Error} */ (error));
      }
      setNow(Date.now() / 1000);
      timer = setTimeout(() => void ask(), everyS * 1000);
    }
    void ask();
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [path, everyS, turn]);

  const late = at > 0 && now - at > LATE_S ? at : null;
  return { data, problem, late, again: () => setTurn(turn + 1) };
}
