// h3 with Zod, by its own validating readers.
import { H3, getValidatedQuery, getValidatedRouterParams, readValidatedBody, serve } from 'h3'
import { z } from 'zod'

const order = z.object({
  name: z.string(),
  items: z.array(z.object({ sku: z.string(), qty: z.int() })),
})
const number = z.coerce.number().int()

const app = new H3({ silent: true })
app.post('/orders', (event) => readValidatedBody(event, order))
app.get('/orders', (event) => getValidatedQuery(event, z.object({ page: number })))
app.get('/orders/:id', (event) => getValidatedRouterParams(event, z.object({ id: number })))
app.post('/form', (event) => readValidatedBody(event, z.object({ qty: number })))
app.get('/boom', () => {
  throw new Error('s3cret, at /srv/app')
})

serve(app, { hostname: '127.0.0.1', port: Number(process.argv[2]), silent: true })
