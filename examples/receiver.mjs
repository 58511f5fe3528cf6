// A receiver of events. README.md beside it says how to run it.
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";

const webhook = new Webhook(process.env.SECRET);
const taken = new Set(); // in an application of your own, a table

createServer(async (request, response) => {
  try {
    const event = webhook.verify(await text(request), request.headers);
    if (!taken.has(event.id)) console.log(event.type, event.subject);
    taken.add(event.id);
    response.writeHead(204).end();
  } catch {
    response.writeHead(400).end();
  }
}).listen(Number(process.env.PORT), "127.0.0.1");
