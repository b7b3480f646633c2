// @ts-check
// The page's markup: htm's templates, bound to Preact.
import htm from "htm";
import { h } from "preact";

export const html = htm.bind(h);
