// Plotly lays a cover over the page while a button is down, so that browsers see two clicks and no double click.
const WITHIN_MS = 300;
let before = -Infinity; // a refresh may come between the two
let stop = () => {}; // called with another theme, this is begun again and not ended before

export default function ({ setTriggerValue }) {
  stop();
  const tell = (event) => {
    if (!event.target.closest(".js-plotly-plot .nsewdrag")) return;
    const isSecond = event.timeStamp - before < WITHIN_MS;
    before = isSecond ? -Infinity : event.timeStamp;
    if (isSecond) setTriggerValue("chart", true);
  };
  document.addEventListener("click", tell);
  stop = () => document.removeEventListener("click", tell);
  return stop;
}
