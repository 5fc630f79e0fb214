// Servers of MCP, by TypeScript's own SDK, on one port, with the paths of `service.py`.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { InvalidClientMetadataError, InvalidGrantError, InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { mcpAuthRouter } from '@modelcontextprotocol/sdk/server/auth/router.js'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import express from 'express'
import { z } from 'zod'

export const BREAK = 'Once upon a time, and here it breaks off'
export const METADATA = 'https://mcp.example.com/.well-known/oauth-protected-resource'

const clients = new Map()
// Registers clients whose redirects go to https, and issues no token but `narrow`, which has no scope.
const provider = {
  clientsStore: {
    getClient: (id) => clients.get(id),
    registerClient: (client) => {
      if (!client.redirect_uris[0].startsWith('https:')) throw new InvalidClientMetadataError('Redirects go to https.')
      clients.set(client.client_id, client)
      return client
    },
  },
  challengeForAuthorizationCode: async () => {
    throw new InvalidGrantError('No such code')
  },
  verifyAccessToken: async (token) => {
    if (token !== 'narrow') throw new InvalidTokenError('No such token')
    return { token, clientId: 'c', scopes: [], expiresAt: Date.now() / 1000 + 60 }
  },
}

/** Keeps each event, so that a client can go on with a stream that broke off. */
const eventStore = () => {
  const events = []
  return {
    storeEvent: async (stream, message) => String(events.push({ stream, message }) - 1),
    replayEventsAfter: async (last, { send }) => {
      const { stream } = events[last]
      for (const [number, event] of events.entries()) {
        if (number > last && event.stream === stream && event.message.jsonrpc) await send(String(number), event.message)
      }
      return stream
    },
  }
}

const serverOf = (broken) => {
  const server = new McpServer({ name: 'tales', version: '1.0.0' })
  server.registerTool('echo', { inputSchema: { text: z.string() } }, ({ text }) => ({ content: [{ type: 'text', text }] }))
  server.registerTool('story', { inputSchema: {} }, async (_, { requestId, _meta, sendNotification }) => {
    const progress = (done, message) =>
      sendNotification({ method: 'notifications/progress', params: { progressToken: _meta.progressToken, progress: done, message } })
    await progress(1, BREAK)
    await broken(requestId)
    return { content: [{ type: 'text', text: 'the end' }] }
  })
  return server
}

/** Ends the connection when the story was sent so far. */
const breaking = (res) => {
  const write = res.write.bind(res)
  res.write = (chunk, ...others) => {
    const isBreak = Buffer.from(chunk).includes(BREAK)
    return isBreak ? write(chunk, () => res.destroy()) : write(chunk, ...others)
  }
}

/** One server for each session. */
const served = (store) => {
  const sessions = new Map()
  return async (req, res) => {
    let session = sessions.get(req.headers['mcp-session-id'])
    if (!session) {
      const responses = new Map()
      const transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        eventStore: store,
        retryInterval: 10,
        onsessioninitialized: (id) => void sessions.set(id, session),
      })
      session = { transport, responses }
      await serverOf((id) => once(responses.get(id), 'close')).connect(transport)
    }
    if (req.body?.id !== undefined) {
      session.responses.set(req.body.id, res)
      breaking(res)
    }
    await session.transport.handleRequest(req, res, req.body)
  }
}

export const start = async () => {
  const app = express()
  const json = express.json({ limit: '10mb' })
  const issuerUrl = new URL('https://mcp.example.com')
  // The gateway's address is that of each client.
  const unlimited = { rateLimit: false }
  app.use(
    mcpAuthRouter({ provider, issuerUrl, scopesSupported: ['tools'], clientRegistrationOptions: unlimited, tokenOptions: unlimited }),
  )
  const plain = served()
  const resumable = served(eventStore())
  for (const path of ['/mcp', '/broken', '/closed']) app.all(path, json, plain)
  for (const path of ['/resumed', '/ended']) app.all(path, json, resumable)
  app.all('/own', requireBearerAuth({ verifier: provider, requiredScopes: ['tools'], resourceMetadataUrl: METADATA }), json, plain)
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
