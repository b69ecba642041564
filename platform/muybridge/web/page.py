"""The page at /: drop a video, see its rows."""

from __future__ import annotations

PAGE = """<!doctype html>
<meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Muybridge</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem;
         margin: 3rem auto; padding: 0 1rem }
  form { border: 2px dashed #999; border-radius: .5rem; padding: 1.5rem }
  pre { overflow: auto; max-height: 24rem; background: #f4f4f4; padding: 1rem }
  code { background: #f4f4f4 }
</style>
<h1>Muybridge</h1>
<p>Turns a video or a picture into tables about the people in it.</p>
<form>
  <p><label>Video or picture: <input type="file" name="file" required></label></p>
  <p><label>Frames a second: <input name="fps" size="5" placeholder="all"></label>
     <label>Tables: <input name="tables" size="24" placeholder="all"></label></p>
  <button>Analyse</button>
</form>
<p id="state" aria-live="polite"></p>
<pre id="rows" hidden></pre>
<p>From a terminal:</p>
<pre>curl -F file=@walk.mp4 ORIGIN/v1/analyze
curl -F file=@walk.mp4 -H 'Accept: application/x-ndjson' ORIGIN/v1/analyze?tables=people
curl -F calibration=@Calib.toml -F cam_01=@1.mp4 -F cam_02=@2.mp4 ORIGIN/v1/triangulate</pre>
<p>With an API key, add <code>-H 'X-API-Key: KEY'</code>. <a href="docs">Documentation</a>,
   <a href="openapi.json">OpenAPI</a>.</p>
<script>
  const form = document.querySelector('form'), state = document.querySelector('#state'),
        rows = document.querySelector('#rows'), commands = document.querySelectorAll('pre')[1];
  commands.textContent = commands.textContent.replaceAll('ORIGIN', location.origin);
  form.onsubmit = async (event) => {
    event.preventDefault();
    state.textContent = 'Working …';
    rows.hidden = true;
    const answer = await fetch('v1/analyze', { method: 'POST', body: new FormData(form) });
    const found = await answer.json();
    state.textContent = answer.ok
      ? Object.entries(found.summary.rows).map(([name, n]) => `${n} ${name}`).join(', ')
      : found.error.message;
    rows.textContent = answer.ok ? JSON.stringify(found.tables, null, 1).slice(0, 100000) : '';
    rows.hidden = !answer.ok;
  };
</script>
"""
