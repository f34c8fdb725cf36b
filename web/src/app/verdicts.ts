/** The verdict on each lead as a table, and the segments that cannot be read as a list. */
import type { Verdict } from "../recording.ts";
import type { LeadInfo } from "../worker.ts";
import { at, make } from "./dom.ts";
import { GRADES, type Segment, describe, percent, remark } from "./grades.ts";
import type { Viewer } from "./viewer.ts";

const MOST = 200; // segments that are listed

export function showVerdicts(verdicts: Verdict[]): void {
  const rows = verdicts.map((verdict) => {
    const grade = verdict.grade
      ? make("span", { class: `grade ${verdict.grade}` }, verdict.grade)
      : "";
    const shares = GRADES.map((name) =>
      make("td", { "data-name": name }, verdict.grade ? percent(verdict[name]) : ""),
    );
    return make(
      "tr",
      {},
      make("th", { scope: "row", class: "text" }, verdict.lead),
      make("td", { class: "text" }, grade),
      ...shares,
      make(
        "td",
        { "data-name": "removed (mV rms)" },
        verdict.why ? "0" : verdict.removed.toFixed(3),
      ),
      make("td", { class: "text" }, remark(verdict)),
    );
  });
  at("verdicts").replaceChildren(...rows);
}

/** List the unusable segments of all leads, each as a button that brings it into view. */
export function showUnreadable(leads: LeadInfo[], segments: Segment[][], viewer: Viewer): void {
  const found = segments.flatMap((each, lead) =>
    each.filter(({ grade }) => grade === "unusable").map((segment) => ({ lead, segment })),
  );
  found.sort((a, b) => a.segment.start - b.segment.start);
  const items = found.slice(0, MOST).map(({ lead, segment }) => {
    const text = `${leads[lead].name}: ${describe(segment, viewer.duration)}`;
    const button = make("button", { type: "button", class: "link" }, text);
    button.addEventListener("click", () => viewer.reveal(lead, segment.start));
    return make("li", {}, button);
  });
  if (found.length > MOST) items.push(make("li", {}, `and ${found.length - MOST} more`));
  at("unreadable-parts").hidden = !found.length;
  at("unreadable-title").textContent = `Unreadable segments: ${found.length}`;
  at("segments").replaceChildren(...items);
}
