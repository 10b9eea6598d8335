"""The console at /console: pages in the browser that use REST and Socket.IO only.

- `app/`: its source; `app/src/menu.ts` lists the pages, `can` in `app/src/api.ts` says which of them a user sees
- `built/`: what `scripts/console.sh` makes of it
- `serving.py`: serves `built/` with a content security policy of its own
"""
