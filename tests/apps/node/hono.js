// Hono with Zod, by its own validator.
import { serve } from '@hono/node-server'
import { zValidator } from '@hono/zod-validator'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { z } from 'zod'

const app = new Hono()
app.use(bodyLimit({ maxSize: 64 * 1024 }))

const order = z.object({
  name: z.string(),
  items: z.array(z.object({ sku: z.string(), qty: z.int() })),
})
const number = z.coerce.number().int()

app.post('/orders', zValidator('json', order), (c) => c.json(c.req.valid('json')))
app.get('/orders', zValidator('query', z.object({ page: number })), (c) => c.json(c.req.valid('query')))
app.get('/orders/:id', zValidator('param', z.object({ id: number })), (c) => c.json(c.req.valid('param')))
app.post('/form', zValidator('form', z.object({ qty: number })), (c) => c.json(c.req.valid('form')))
app.get('/boom', () => {
  throw new Error('s3cret, at /srv/app')
})

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.argv[2]) })
