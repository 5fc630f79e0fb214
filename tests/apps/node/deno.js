// The doors of `doors.js` on Deno, which opens a WebSocket whatever the method is: deno run --allow-net deno.js PORT.
import { reached } from './upgrade-doors.js'

Deno.serve({ hostname: '127.0.0.1', port: Number(Deno.args[0]), onListen: () => {} }, (request) => {
  const { pathname, search } = new URL(request.url)
  const text = reached(request.method, pathname + search)
  if (request.headers.get('upgrade') !== 'websocket') {
    return new Response(text, { headers: { 'content-type': 'text/plain' } })
  }
  const { response } = Deno.upgradeWebSocket(request)
  response.headers.set('x-door', text)
  return response
})
