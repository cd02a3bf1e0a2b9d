// A real OpenID provider with people of a test: `node provider.js` prints {"issuer", "control"}.
//
// A form sent to control/people with is={"ada": {"groups": [...]}} says who there is, and their
// claims; to control/expire with who=ada it ends her access token, to control/revoke all that was
// granted; control/down and control/up close and open the port of the provider.
import http from 'node:http';
import process from 'node:process';

import Provider from 'oidc-provider';

const HOST = '127.0.0.1';
let people = {};
const accessTokens = new Map();
const grants = new Map();
const seen = { refreshes: 0, challenges: [] };

const listen = (server, port) =>
  new Promise((resolve) => server.listen(port, HOST, () => resolve(server.address().port)));

const answering = http.createServer();
const port = await listen(answering, 0);
const issuer = `http://${HOST}:${port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'jupyterhub',
      client_secret: 'of the tests',
      redirect_uris: [process.env.REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
    },
  ],
  cookies: { keys: ['of the tests'] },
  claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
  features: { devInteractions: { enabled: false } },
  pkce: { methods: ['S256'], required: () => true },
  issueRefreshToken: () => true,
  interactions: { url: (_, interaction) => `/sign-in/${interaction.uid}` },
  findAccount: (_, sub) =>
    people[sub] && {
      accountId: sub,
      claims: () => ({ sub, preferred_username: sub, ...people[sub] }),
    },
  // Nobody is asked whether the hub may know them, as an organisation's provider does not ask.
  loadExistingGrant: async (ctx) => {
    const { client, session } = ctx.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid profile offline_access');
    await grant.save();
    return grant;
  },
});

provider.on('access_token.saved', (token) => accessTokens.set(token.accountId, token));
provider.on('grant.success', (ctx) => {
  grants.set(ctx.oidc.entities.Account.accountId, ctx.oidc.entities.Grant);
  if (ctx.oidc.params.grant_type === 'refresh_token') seen.refreshes += 1;
});
provider.on('authorization.accepted', (ctx) =>
  seen.challenges.push(ctx.oidc.params.code_challenge_method),
);

const PAGE = `<!doctype html><html lang="en"><title>The provider of the tests</title>
<form method="post"><label>Name <input name="name"></label><button>Sign in</button></form></html>`;

const body = async (request) => {
  let text = '';
  for await (const part of request) text += part;
  return new URLSearchParams(text);
};

const handle = provider.callback();
answering.on('request', async (request, response) => {
  if (!request.url.startsWith('/sign-in/')) return handle(request, response);
  if (request.method === 'GET') {
    response.setHeader('Content-Type', 'text/html');
    return response.end(PAGE);
  }
  const accountId = (await body(request)).get('name');
  return provider.interactionFinished(request, response, { login: { accountId } });
});

const doing = {
  people: (said) => {
    people = JSON.parse(said.get('is'));
  },
  expire: (said) => accessTokens.get(said.get('who')).destroy(),
  revoke: async (said) => {
    const grant = grants.get(said.get('who'));
    await provider.RefreshToken.revokeByGrantId(grant.jti);
    await provider.AccessToken.revokeByGrantId(grant.jti);
    await grant.destroy();
  },
  down: () => {
    answering.close();
    answering.closeAllConnections();
  },
  up: () => listen(answering, port),
  seen: () => {},
};

const control = http.createServer(async (request, response) => {
  const url = new URL(request.url, `http://${HOST}`);
  try {
    await doing[url.pathname.slice(1)](await body(request));
    response.end(JSON.stringify(seen));
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error.stack));
  }
});
const controlPort = await listen(control, 0);
console.log(JSON.stringify({ issuer, control: `http://${HOST}:${controlPort}` }));
// Whoever started it holds its input: without them it ends.
process.stdin.resume().on('end', () => process.exit(0));
