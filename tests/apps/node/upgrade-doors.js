// What the servers that answer any upgrade give for each request.
const door = (method, path) => {
  if (path === '/admin' || path.startsWith('/admin/')) return 'CLOSED'
  if (method === 'POST' && path === '/orders') return 'CLOSED'
  if (method === 'DELETE' && path.startsWith('/items/')) return 'CLOSED'
  return path.startsWith('/public/') ? 'PUBLIC' : 'OPEN'
}

export const reached = (method, target) => `${door(method, target.split('?')[0])}-REACHED ${method} ${target}`
