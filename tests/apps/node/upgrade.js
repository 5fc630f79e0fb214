// The doors of `doors.js` on Node alone, which answers an upgrade with 101 whatever the method is: node upgrade.js PORT.
import { createServer } from 'node:http'

const door = ({ method, url }) => {
  const path = url.split('?')[0]
  if (path === '/admin' || path.startsWith('/admin/')) return 'CLOSED'
  if (method === 'POST' && path === '/orders') return 'CLOSED'
  if (method === 'DELETE' && path.startsWith('/items/')) return 'CLOSED'
  return path.startsWith('/public/') ? 'PUBLIC' : 'OPEN'
}
const text = (request) => `${door(request)}-REACHED ${request.method} ${request.url}`

const server = createServer((request, response) => response.setHeader('content-type', 'text/plain').end(text(request)))
server.on('upgrade', (request, socket) => {
  const head = ['HTTP/1.1 101 Switching Protocols', 'connection: upgrade', 'upgrade: websocket', `x-door: ${text(request)}`]
  socket.end([...head, '', ''].join('\r\n'))
})
server.listen(Number(process.argv[2]), '127.0.0.1')
