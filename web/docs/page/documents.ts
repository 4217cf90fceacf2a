// The two documents of a server as the page shows them.
import { readAsyncApi, type AsyncApi, type SocketApi } from "../model/asyncapi.ts";
import { readOpenApi, type OpenApi, type RestApi } from "../model/openapi.ts";

export interface Documents {
  readonly api: RestApi;
  readonly socket: SocketApi;
}

export const readDocuments = (openapi: OpenApi, asyncapi: AsyncApi): Documents => ({
  api: readOpenApi(openapi),
  socket: readAsyncApi(asyncapi),
});
