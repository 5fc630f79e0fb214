// The export `error-envelope catalogue --format openapi` lists the codes of all operations. It is open: any text is a code.
import type { components } from "./made/export.js";
import type { ErrorCode } from "./made/hey-export/types.gen.js";

const later = "a_code_of_next_year";
const codes: [ErrorCode, components["schemas"]["ErrorCode"]] = [later, later];
// @ts-expect-error: a code is a text.
const hey: ErrorCode = 404;
// @ts-expect-error: a code is a text.
const fetched: components["schemas"]["ErrorCode"] = 404;
void [codes, hey, fetched];
