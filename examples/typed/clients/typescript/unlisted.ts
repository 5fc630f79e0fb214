/**
 * Takes what the listed codes leave, which is nothing: tsc fails where a `switch` lacks one. At run time it gets the codes of
 * proxies and of later versions of the service.
 */
export function unlisted(error: never): string {
  return `${(error as { code: string }).code} is not in the document`;
}
