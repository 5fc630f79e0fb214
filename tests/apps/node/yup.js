// Express with yup: a refusal's text is the error's own, as yup's guide and most tutorials have it.
import express from 'express'
import * as yup from 'yup'

const app = express()
app.use(express.json({ limit: '64kb' }))
app.use(express.urlencoded({ extended: true, limit: '64kb' }))

const checked = (schema, part) => async (request, response, next) => {
  try {
    await schema.validate(request[part])
    response.json(request[part])
  } catch (error) {
    if (!(error instanceof yup.ValidationError)) return next(error)
    response.status(400).json({ type: error.name, message: error.message })
  }
}
const number = yup.number().integer().required()
const item = yup.object({ sku: yup.string().required(), qty: number })
const order = yup.object({ name: yup.string().required(), items: yup.array(item).required() })

app.post('/orders', checked(order, 'body'))
app.get('/orders', checked(yup.object({ page: number }), 'query'))
app.get('/orders/:id', checked(yup.object({ id: number }), 'params'))
app.post('/form', checked(yup.object({ qty: number }), 'body'))
app.get('/boom', () => {
  throw new Error('s3cret, at /srv/app')
})

app.listen(Number(process.argv[2]), '127.0.0.1')
