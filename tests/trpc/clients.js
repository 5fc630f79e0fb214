// tRPC's own client against a tRPC server behind the gateway, whose policy is its default: a 4xx arrives as it is, and of a
// 5xx nothing but that it is one (R10).
//
//     node clients.js GATEWAY_COMMAND POLICY
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { TRPCClientError, createTRPCClient, httpBatchLink, httpBatchStreamLink, httpLink } from '@trpc/client'
import { TRPCError, initTRPC } from '@trpc/server'
import { createHTTPServer } from '@trpc/server/adapters/standalone'
import superjson from 'superjson'
import { z } from 'zod'

const [command, policy] = process.argv.slice(2)
const UNEXPECTED = 'An unexpected error occurred.'

const router = (settings) => {
  const t = initTRPC.create(settings)
  return t.router({
    ok: t.procedure.query(() => 'served'),
    taken: t.procedure.query(() => {
      throw new TRPCError({ code: 'CONFLICT', message: 'An order with this number exists already' })
    }),
    add: t.procedure.input(z.object({ items: z.array(z.object({ qty: z.int() })) })).mutation(() => 'added'),
    boom: t.procedure.query(() => {
      throw new Error('s3cret, at /srv/app')
    }),
    told: t.procedure.query(() => {
      throw new TRPCError({ code: 'INTERNAL_SERVER_ERROR', message: 's3cret, at /srv/app', cause: new Error('s3cret') })
    }),
  })
}

const serve = async (router) => {
  const server = createHTTPServer({ router })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const gateway = spawn(
    command,
    ['gateway', '--listen', '127.0.0.1:0', '--upstream', `http://127.0.0.1:${server.address().port}`, '--policy', policy],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  )
  after(async () => {
    gateway.kill()
    await once(gateway, 'exit')
    server.close()
    server.closeAllConnections()
  })
  for await (const line of createInterface({ input: gateway.stdout })) {
    const found = /listening on (\S+)/.exec(line)
    if (found) return found[1]
  }
  throw new Error('the gateway did not start')
}

// What came over the wire, for what must not be in it.
const listening = (seen) => async (...request) => {
  const response = await fetch(...request)
  seen.push({ status: response.status, id: response.headers.get('x-request-id'), body: await response.clone().text() })
  return response
}

const refused = async (promise) => {
  const error = await promise.then(
    (value) => assert.fail(`it was served: ${JSON.stringify(value)}`),
    (error) => error,
  )
  assert.ok(error instanceof TRPCClientError, String(error))
  return error
}

const tellsNothing = (error) => {
  assert.equal(error.data?.code, 'INTERNAL_SERVER_ERROR')
  assert.equal(error.data.httpStatus, 500)
  assert.equal(error.data.path, undefined)
  assert.equal(error.data.stack, undefined)
  assert.equal(error.message, UNEXPECTED)
}

const tells = (error) => {
  assert.equal(error.data?.code, 'CONFLICT')
  assert.equal(error.data.httpStatus, 409)
  assert.equal(error.message, 'An order with this number exists already')
}

// All of them before the first test: the runner takes the tests for done, and stops the gateways, as soon as none of those it
// knows is left.
const gateways = []
for (const [kind, settings] of Object.entries({ plain: {}, superjson: { transformer: superjson } })) {
  // As it is deployed, and as a server answers that was left to tell its stacks.
  for (const isDev of [false, true]) {
    gateways.push({ kind, settings, isDev, url: await serve(router({ ...settings, isDev })) })
  }
}

for (const { kind, settings, isDev, url } of gateways) {
  for (const [way, link] of Object.entries({ single: httpLink, batched: httpBatchLink })) {
    const seen = []
    const client = createTRPCClient({ links: [link({ url, fetch: listening(seen), ...settings })] })
    const holds = (what, check) => test(`${kind}, ${way}, ${isDev ? 'with' : 'without'} stacks: ${what}`, check)

    holds('what is served comes as it is', async () => {
      assert.equal(await client.ok.query(), 'served')
    })
    holds('a 4xx arrives with its own code and message', async () => {
      tells(await refused(client.taken.query()))
    })
    holds('a wrong input arrives with its own code and its issues', async () => {
      const error = await refused(client.add.mutate({ items: [{ qty: 1 }, { qty: 'three' }] }))
      assert.equal(error.data?.code, 'BAD_REQUEST')
      assert.deepEqual(JSON.parse(error.message)[0].path, ['items', 1, 'qty'])
    })
    holds('what is not there arrives as NOT_FOUND', async () => {
      assert.equal((await refused(client.missing.query())).data?.code, 'NOT_FOUND')
    })
    holds('a 5xx arrives as one, and tells nothing', async () => {
      tellsNothing(await refused(client.boom.query()))
      tellsNothing(await refused(client.told.query()))
    })
    holds('two that fail at once', async () => {
      const [told, boom] = await Promise.all([refused(client.told.query()), refused(client.boom.query())])
      tellsNothing(told)
      tellsNothing(boom)
    })
    holds('nothing that was thrown went over the wire, and every answer had an id', () => {
      assert.deepEqual(seen.filter(({ body }) => /s3cret|\/srv\/app/.test(body)), [])
      assert.deepEqual(seen.filter(({ id }) => !/^req_[0-9A-HJKMNP-TV-Z]{26}$/.test(id)), [])
      assert.deepEqual(new Set(seen.map(({ status }) => status)), new Set([200, 409, 400, 404, 500]))
    })
  }

  // A batch of which one fails so and another otherwise is a 207, and a streamed one is a 200: successes of HTTP's, which
  // pass as they came. What is served beside an error, and the error's code, arrive all the same.
  for (const [way, link] of Object.entries({ batched: httpBatchLink, streamed: httpBatchStreamLink })) {
    test(`${kind}, ${way}: one that is served, one that is refused and one that fails`, async () => {
      const client = createTRPCClient({ links: [link({ url, ...settings })] })
      const [ok, taken, boom] = await Promise.all([
        client.ok.query(),
        refused(client.taken.query()),
        refused(client.boom.query()),
      ])
      assert.equal(ok, 'served')
      tells(taken)
      assert.equal(boom.data?.code, 'INTERNAL_SERVER_ERROR')
    })
  }
}
