// An h3 service that takes small bodies alone: it refuses a larger one by its length, and never reads it.
import { H3, assertBodySize, serve } from 'h3'

const LIMIT = 1024

const app = new H3()
app.get('/**', () => ({ ok: true }))
app.post('/**', async (event) => {
  await assertBodySize(event, LIMIT)
  return { bytes: (await event.req.text()).length }
})
const server = serve(app, { hostname: '127.0.0.1', port: 0, silent: true })
await server.ready()
console.log(new URL(server.url).port)
