// Express with express-validator, whose errors go out as its guide sends them.
import express from 'express'
import { body, param, query, validationResult } from 'express-validator'

const app = express()
app.use(express.json({ limit: '64kb' }))
app.use(express.urlencoded({ extended: true, limit: '64kb' }))

const checked = (request, response, next) => {
  const errors = validationResult(request)
  if (errors.isEmpty()) return next()
  response.status(400).json({ errors: errors.array() })
}
const order = [
  body('name').isString(),
  body('items').isArray(),
  body('items.*.sku').isString(),
  body('items.*.qty').isInt(),
]

app.post('/orders', order, checked, (request, response) => response.json(request.body))
app.get('/orders', query('page').isInt(), checked, (request, response) => response.json(request.query))
app.get('/orders/:id', param('id').isInt(), checked, (request, response) => response.json(request.params))
app.post('/form', body('qty').isInt(), checked, (request, response) => response.json(request.body))
app.get('/boom', () => {
  throw new Error('s3cret, at /srv/app')
})

app.listen(Number(process.argv[2]), '127.0.0.1')
