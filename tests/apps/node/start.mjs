import net from 'node:net'
// The app listens on the port of its last argument: a free one, which is printed once the app listens.
const server = net.createServer().listen(0, '127.0.0.1', () => {
  const { port } = server.address()
  server.close(async () => {
    process.argv[2] = String(port)
    await import('./express.js')
    const print = () => net.connect(port, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${port}`)).on('error', () => setTimeout(print, 50))
    print()
  })
})
